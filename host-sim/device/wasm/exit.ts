/** Thrown out of an import to end the app: nothing of it runs any more. */
export class AppExit extends Error {
  /**
   * @param code see docs/exit-codes.md
   * @param reason for the report; empty for an end that the app wanted
   * @param place `file:line:column` when the app itself says where
   */
  constructor(
    readonly code: number,
    readonly reason = "",
    readonly place?: string,
  ) {
    super(reason);
  }
}
