/** An error whose message is meant for the user: what is wrong, and what to do about it. Shown without a stack trace. */
export class Problem extends Error {
  constructor(what: string, remedy?: string) {
    super(remedy ? `${what}\n${remedy}` : what);
    this.name = "Problem";
  }
}
