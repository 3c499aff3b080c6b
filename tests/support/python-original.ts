import { join } from "node:path";
import { GenericContainer } from "testcontainers";
import "./docker.ts";

export const PYTHON_IMAGE = "metrobus-python-original";

/** Builds the image with the releases of the Python original, as PyPI has them. */
export async function pythonOriginal(): Promise<GenericContainer> {
  const pip = ["PIP_INDEX_URL", "PIP_CERT", "PIP_TRUSTED_HOST"].flatMap((name) => {
    const value = process.env[name];
    return value ? [[name, value]] : [];
  });
  return await GenericContainer.fromDockerfile(join(import.meta.dirname, "../integration/python"))
    .withBuildArgs(Object.fromEntries(pip) as Record<string, string>)
    .build(PYTHON_IMAGE, { deleteOnExit: false });
}
