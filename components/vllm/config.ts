import { apiExposures } from "#components/serving/api.ts";
import type { Engine } from "#components/serving/engine.ts";
import { problems } from "./problems.ts";
import { schema } from "./schema.ts";

/** vLLM as the stack's configuration sees it. */
export const vllm = {
  schema,
  placement: (service) => ({
    platforms: ["linux"],
    seats:
      service.host === undefined ? [] : [{ host: service.host, path: ["host"], role: "the only machine" }],
    exposures: apiExposures(service, service.host),
    packages: [],
  }),
  problems,
  mirrors: {
    pypi: {
      address: "https://pypi.org/simple",
      description: "The Python Package Index, or a mirror with its simple API.",
    },
    pypiFiles: {
      address: "https://files.pythonhosted.org",
      description: "Where that index has its files; from here comes uv, which installs the others.",
    },
    pytorch: {
      address: "https://download.pytorch.org/whl",
      description: "PyTorch's own indexes, one below it for each variant: for vLLM's variants cu129 and cpu.",
    },
    pythonBuilds: {
      address: "https://github.com/astral-sh/python-build-standalone/releases/download",
      description: "Builds of Python that uv fetches where a machine's own is another version.",
    },
  },
  heldPackages: [],
  unitPrefix: "vllm-",
  vendors: {},
} satisfies Engine<typeof schema>;
