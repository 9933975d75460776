// What the build says about the site: `site.json`, written by `cargo xtask www`.

export interface Sample {
  id: string;
  title: string;
  caption: string;
  /** Address of the image. */
  image: string;
}

export interface Site {
  /** Whether the weights mean something. */
  trained: boolean;
  products: number;
  samples: Sample[];
  /** What the native program made of this image and this text: `native.json`. */
  check: { image: string; text: string };
}

const json = async <T>(file: string): Promise<T> => {
  const response = await fetch(new URL(file, document.baseURI));
  if (!response.ok) throw new Error(`this site has no ${file} (status ${response.status}): build it with \`cargo xtask www\``);
  return response.json() as Promise<T>;
};

let read: Promise<Site> | undefined;

export const site = (): Promise<Site> => (read ??= json<Site>("site.json"));

/** The native program's traces of the image and the text of the self-check, as text. */
export async function nativeTraces(): Promise<string> {
  const response = await fetch(new URL("native.json", document.baseURI));
  if (!response.ok) throw new Error(`this site has no native.json (status ${response.status})`);
  return response.text();
}

export async function imageAt(address: string): Promise<Blob> {
  const response = await fetch(new URL(address, document.baseURI));
  if (!response.ok) throw new Error(`there is no image ${address} (status ${response.status})`);
  return response.blob();
}
