/** Works on up to `limit` items at once and gives the results in the items' order. The first error ends it. */
export async function* inOrder<T, R>(items: AsyncIterable<T> | Iterable<T>, limit: number, work: (item: T) => Promise<R>): AsyncGenerator<R, void> {
  const running: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    // Whoever waits for it comes later; until then its failure must not count as unheard.
    result.catch(() => undefined);
    running.push(result);
    if (running.length >= limit) yield await (running.shift() as Promise<R>);
  }
  for (const result of running) yield await result;
}
