/** Style sheets are bundled by esbuild into widget.css; importing one gives nothing. */
declare module "*.css"
