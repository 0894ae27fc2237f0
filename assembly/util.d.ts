/** AssemblyScript's own number formatting, which the compiler resolves; editors need this shape. */

/** Writes UTF-16 digits to `buffer`. @returns the number of code units */
export declare function dtoa_buffered(buffer: usize, value: f64): u32;
