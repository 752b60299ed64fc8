import { ensurePulumi } from "./install.ts";

try {
  await ensurePulumi();
} catch (error) {
  console.error(process.env.DEBUG ? error : (error as Error).message);
  process.exitCode = 1;
}
