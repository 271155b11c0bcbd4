import { chmod, mkdir } from "node:fs/promises";

/** Makes a directory that has this mode whatever the process's mask is. @throws `EEXIST` when it is there. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  await mkdir(path);
  await chmod(path, mode);
}

/** As above; a directory that is there gets the mode too, missing parents are made with it. */
export async function ensureDirectory(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await chmod(path, mode);
}
