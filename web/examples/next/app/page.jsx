import { Nearest } from "./nearest.jsx";

// The folders of `scraper model pack` and `scraper export --format web`, and a photo to search with.
const content = process.env.CONTENT ?? "";

export default function Page() {
  return (
    <main>
      <h1>Nearest products</h1>
      <Nearest model={`${content}/model/`} shop={`${content}/shop/`} photo={`${content}/photo.jpg`} />
    </main>
  );
}
