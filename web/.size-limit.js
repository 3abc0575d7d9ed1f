// What the package costs a page that bundles it. What it loads only when WebSockets have failed is weighed by itself.
const entry = (name, path, limit) => ({
  name, path, limit,
  gzip: true,
  ignore: ['./stream.js'],
  modifyEsbuildConfig: (config) => ({ ...config, format: 'esm' }),
});

export default [
  entry('client', 'dist/index.js', '6 kB'),
  entry('everything: client, hook, notification centre, three languages, styles', ['dist/react.js', 'dist/styles.css'], '15 kB'),
  entry('Server-Sent Events: loaded when WebSockets have failed', 'dist/stream.js', '2 kB'),
];
