/** `node server.mjs PORT`: serves Cosmos DB's REST protocol on 127.0.0.1 until it is killed. Its data is in memory. */
import cosmos from '@vercel/cosmosdb-server';

cosmos.createHttpServer({ keepAlive: true }).listen(Number(process.argv[2]), '127.0.0.1');
