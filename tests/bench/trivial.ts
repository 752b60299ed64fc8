import * as pulumi from "@pulumi/pulumi";

// What every preview has to bear, whatever it previews: CLI, language host, Node and the SDK.
/** An output, so that the program does something. */
export const stack = pulumi.getStack();
