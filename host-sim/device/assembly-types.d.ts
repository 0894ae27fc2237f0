/** AssemblyScript's number types as TypeScript sees them on the host's side of the ABI. */
declare type i32 = number;
declare type u32 = number;
declare type usize = number;
declare type i64 = bigint;
