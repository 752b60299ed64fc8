import * as pulumi from "@pulumi/pulumi";
import { declare } from "#provider/declare.ts";
import { modelFiles } from "#provider/resources/model-files/model-files.ts";
import { modelFile, modelFolder } from "#provider/resources/model-files/places.ts";
import { hashOf } from "./hash.ts";
import type { ResourcePlace } from "./resource-place.ts";
import type { Model } from "./service-schema.ts";

/**
 * Where a model lies on its machine. With a plain address the folder is named after the service and the
 * content.
 */
const folderOf = (service: string, { url, repo, revision, files }: Model) =>
  url
    ? { name: service, revision: hashOf(files) }
    : // That a model of the hub has both was checked with the configuration.
      { name: repo ?? "", revision: revision ?? "" };

/** Path on the machine of the file that is served: the first of a model. */
export function servedFile(service: string, model: Model): string {
  const [first = ""] = Object.keys(model.files);
  return modelFile(folderOf(service, model), first);
}

/** Folder on the machine with all files of a model. */
export const servedFolder = (service: string, model: Model): string => modelFolder(folderOf(service, model));

/**
 * Declares the files of a service's model on a machine.
 *
 * @param hub address of the model hub or of a mirror of it
 */
export function declareModel(
  { prefix, at, opts }: ResourcePlace,
  { service, model, hub }: { readonly service: string; readonly model: Model; readonly hub: string },
): pulumi.Resource {
  const source = model.url
    ? { kind: "url" as const, url: model.url }
    : { kind: "hub" as const, endpoint: hub };
  const token = model.token ? { token: pulumi.secret(model.token) } : {};
  const args = { ...at, ...folderOf(service, model), source, files: { ...model.files }, ...token };
  return declare(modelFiles, `${prefix}-model`, args, opts);
}
