// The frame is of no origin, so its window is asked instead.
const frame = document.querySelector("iframe");
addEventListener("message", ({ source, data }) => {
  if (source === frame.contentWindow) document.querySelector("output").value = data;
});
