/** Stands where the reading program is: outgrows its memory as no document is known to do, by the way that the job's name says. */
const ways = {
  'one array': () => {
    const numbers = [];
    for (;;) numbers.push(Math.random());
  },
  'a joined string': () => Array.from({ length: 2 ** 25 }, (_, index) => `${index}`).join(' '),
  'matches of a replacement': () => 'ab'.repeat(2 ** 26).replace(/a/g, () => Math.random().toString()),
  'many objects': () => {
    let last = {};
    for (;;) last = { last };
  },
  'an exit': () => process.exit(3),
};
process.on('message', ({ name }) => ways[name]());
