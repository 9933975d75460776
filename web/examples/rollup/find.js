import { Clip } from "clip-everywhere";
import { Catalogue } from "clip-everywhere/catalogue";

/** Ids of the products nearest to some words, and to a photo. */
export async function find({ model, shop, words, photo }) {
  const [clip, catalogue] = await Promise.all([Clip.load({ model }), Catalogue.open(shop)]);
  const nearest = async (embedding) => (await catalogue.search(embedding, { limit: 3 })).map(({ id }) => id);
  const found = { words: await nearest(await clip.embedText(words)), photo: await nearest(await clip.embedImage(photo)) };
  clip.dispose();
  catalogue.dispose();
  return found;
}
