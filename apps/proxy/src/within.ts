import { CastellanError } from "@castellan/domain";

/** The outcome of `work`, if it comes in time. @throws `unavailable` with this message when it does not. */
export async function within<T>(ms: number, message: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CastellanError("unavailable", message)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
