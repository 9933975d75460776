import { createSSRApp } from "vue";
import { renderToString } from "vue/server-renderer";

import App from "./App.vue";

/** The page's `#app`, for the server. */
export const render = () => renderToString(createSSRApp(App));
