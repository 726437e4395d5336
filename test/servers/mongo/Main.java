import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.h2.H2Backend;

/** Main PORT FILE: serves until it is killed; FILE keeps the data, so that a restart finds them again. */
public class Main {
  public static void main(String[] arguments) throws Exception {
    MongoServer server = new MongoServer(new H2Backend(arguments[1]));
    server.bind("127.0.0.1", Integer.parseInt(arguments[0]));
    System.out.println("ready");
    Thread.currentThread().join();
  }
}
