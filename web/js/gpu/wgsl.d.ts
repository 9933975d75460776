// The shaders of crates/clip-gpu, as texts.
declare module "*.wgsl" {
  const text: string;
  export default text;
}
