/** Exists in AssemblyScript's `minimal` runtime only, so its own declarations leave it out. */
declare function __collect(): void;
