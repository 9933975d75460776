// What the types must refuse.

import { ClipSearch } from "clip-everywhere/react";

export const wrong = [
  // @ts-expect-error a number
  <ClipSearch limit="twelve" />,
  // @ts-expect-error no such mode
  <ClipSearch mode="magic" />,
  // @ts-expect-error a listener of results has `hits`, not `hit`
  <ClipSearch onResults={({ detail }) => detail.hit} />,
  // @ts-expect-error a boolean
  <clip-search recent="yes" />,
  // @ts-expect-error no such label
  <clip-search labels={{ nothingAtAll: "" }} />,
];
