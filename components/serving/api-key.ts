import * as pulumi from "@pulumi/pulumi";
import { hashOf } from "./hash.ts";

/** The file that holds a service's key, readable by root alone; none without a key. */
export const apiKeyFile = (path: string, apiKey: string | undefined) =>
  apiKey ? { [path]: { content: pulumi.secret(`${apiKey}\n`), mode: "0600" } } : {};

/** Stands for the key where a change of it must be seen and the key itself must not be. */
export const apiKeyHash = (apiKey: string | undefined): pulumi.Output<string> | undefined =>
  apiKey ? pulumi.secret(hashOf(apiKey)) : undefined;
