"use client";
// <clip-search> as a component of React 18 and 19: props become attributes and properties, `on…` props
// listen to its events, `ref` is the element.

import { createElement, forwardRef, useEffect, useImperativeHandle, useRef } from "react";

import "../dist/search.js";

/** Props that listen, and their events. */
const EVENTS = {
  onResults: "clip-search-results", onProgress: "clip-search-progress", onSelect: "clip-search-select",
  onError: "clip-search-error",
};
/** Props that no attribute can hold, in the order in which they must be set. */
const PROPERTIES = ["labels", "filters", "sort", "query"];

/** `<clip-search>`. */
export const ClipSearch = forwardRef(function ClipSearch(props, ref) {
  const own = useRef(null);
  const latest = useRef(props);
  useImperativeHandle(ref, () => own.current, []);
  useEffect(() => void (latest.current = props));
  useEffect(() => {
    const element = own.current;
    const gone = new AbortController();
    for (const [prop, event] of Object.entries(EVENTS)) {
      element.addEventListener(event, (e) => latest.current[prop]?.(e), { signal: gone.signal });
    }
    return () => gone.abort();
  }, []);
  // Set when they change, and not when something else does: the visitor may have changed them, too.
  const values = PROPERTIES.map((name) => props[name]);
  const before = useRef([]);
  useEffect(() => {
    PROPERTIES.forEach((name, i) => {
      if (values[i] !== before.current[i]) own.current[name] = values[i];
    });
    before.current = values;
  }, values);

  const attributes = { ref: own };
  for (const [name, value] of Object.entries(props)) {
    if (name in EVENTS || PROPERTIES.includes(name)) continue;
    // React 18 would write "true" and "false", and knows no `className` here.
    attributes[name === "className" ? "class" : name] = value === true ? "" : value === false ? undefined : value;
  }
  return createElement("clip-search", attributes);
});
