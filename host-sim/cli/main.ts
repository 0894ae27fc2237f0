/** The entry of the command line; replaced as the nouns arrive. */
export async function main(args: readonly string[]): Promise<void> {
  process.stdout.write(`spherule ${args.join(" ")}\n`);
}
