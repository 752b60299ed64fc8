import { expect, test } from "vitest";
import { nvidiaWish } from "#inventory/nvidia-wish.ts";
import { driverProblems, managedDriver, wishOf } from "./driver-wants.ts";

const wish = (change: object = {}) => {
  const parsed = nvidiaWish.parse({ driver: "managed", ...change });
  if (parsed.driver !== "managed") throw new Error("not managed");
  return parsed;
};
const debian = { release: "Debian GNU/Linux 13 (trixie)", architecture: "x86_64" };
const card = (model: string, pciId: string) => ({ model, pciId });
const ada = card("RTX 4090", "10de:2684");
const blackwell = card("RTX 5090", "10de:2b85");
const pascal = card("GTX 1080", "10de:1b80");
const on = (gpus: object[] | undefined, change?: object) =>
  managedDriver(wish(change), { ...debian, gpus: gpus as never });

test("modules follow the generation, open where both do", () => {
  expect(on([ada])).toEqual({ branch: 580, modules: "open", allowReboot: false, path: "debian13/x86_64" });
  expect(on([pascal])).toMatchObject({ modules: "proprietary" });
  expect(on([ada], { modules: "proprietary", branch: 590 })).toMatchObject({
    modules: "proprietary",
    branch: 590,
  });
  expect(on([{ model: "RTX 4090", computeCapability: "8.9" }])).toMatchObject({ modules: "open" });
});

test.each([
  ["Blackwell with proprietary modules", [blackwell], { modules: "proprietary" }, "need the open modules"],
  ["Blackwell with an old branch", [blackwell], { branch: 550 }, "branches from 570 on, and 550"],
  ["Pascal with 590", [pascal], { branch: 590 }, "branches up to 580, and 590"],
  ["Pascal with open modules", [pascal], { modules: "open" }, "need the proprietary modules"],
  ["Pascal and Blackwell in one machine", [pascal, blackwell], {}, "exclude each other"],
  ["Kepler", [card("GTX 770", "10de:1184")], {}, "the last for them was 470"],
  ["a card nobody knows", [card("new", "10de:ffff")], {}, "name the modules"],
  ["nothing recorded", undefined, {}, "host refresh"],
])("%s is refused", (_, gpus, change, said) => {
  expect(JSON.stringify(on(gpus, change))).toContain(said);
});

test("a system without a repository is told with those that have one", () => {
  const found = managedDriver(wish(), { release: "Ubuntu 25.10", gpus: [ada] });
  expect(JSON.stringify(found)).toContain("no repository for Ubuntu 25.10 on x86_64");
});

test("a driver that is recorded is watched, and a machine without a GPU gets nothing", () => {
  expect(wishOf({ driver: "580.95.05", gpus: [ada] })).toMatchObject({ driver: "present", minimum: 525 });
  expect(wishOf({ gpus: [ada] })).toBeUndefined();
  expect(wishOf({ gpus: [] })).toBeUndefined();
});

test("problems name the key they are about", () => {
  const machine = { ...debian, base: true, nvidia: wish({ branch: 590 }), gpus: [pascal] };
  expect(driverProblems(machine, false).map(({ path }) => path.join("."))).toEqual(["driver", ""]);
  expect(driverProblems({ ...machine, gpus: [ada] }, true)).toEqual([]);
  expect(driverProblems({ ...machine, gpus: [] }, true)[0]?.text).toContain("records none");
  expect(driverProblems({ ...machine, base: false }, true)[0]?.text).toContain("base: false");
});
