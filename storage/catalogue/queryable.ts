/** Values that PostgreSQL parameters take. int8 times and sizes are JavaScript numbers; bytea is a Uint8Array. */
export type SqlValue = string | number | boolean | null | Uint8Array | Date | object | readonly SqlValue[];

export interface SqlResult<Row> {
  rows: Row[];
  /** Rows returned or changed. */
  rowCount: number;
}

/** Something SQL can be sent to: the pool, or one open transaction. */
export interface Queryable {
  /**
   * Sends one statement with `$1…` parameters. Columns of type int8 come back as numbers; a value beyond 2^53 is an error.
   *
   * @throws BerthwatchError unavailable (connection lost, server stopping, deadlock: try again), conflict (a constraint,
   *   named in `detail.constraint`), bad-input (a value the column cannot hold), internal (wrong SQL)
   */
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly SqlValue[]): Promise<SqlResult<Row>>;
}
