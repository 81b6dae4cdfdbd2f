import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// While developing, Vite serves the page instead of Stellwerk's server, which would do this.
function injectBase(html: string): string {
  return html.replace('<head>', '<head><base href="/" />')
}

// Relative addresses, so that the page works under any path: the server injects a <base href>.
export default defineConfig({
  base: './',
  plugins: [react(), { name: 'base', apply: 'serve', transformIndexHtml: injectBase }],
  resolve: {
    alias: {
      '@fonts': fileURLToPath(new URL('./node_modules/@fontsource-variable', import.meta.url)),
      '@': fileURLToPath(new URL('./src', import.meta.url)),
    },
  },
  build: {
    target: 'es2023',
    outDir: '../src/stellwerk/ui_dist',
    emptyOutDir: true,
    manifest: true,
    cssMinify: 'lightningcss',
    reportCompressedSize: false,
    assetsInlineLimit: 0,
    // A preload of every lazy chunk would undo that they are lazy.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // What several parts share comes in one file with the first load, not in a dozen small ones.
        codeSplitting: { groups: [{ name: 'shared', minShareCount: 2 }] },
      },
    },
    // scripts/finish.mjs has the limits that count, for what is sent.
    chunkSizeWarningLimit: 1000,
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:4711', ws: true }, '/graphql': 'http://127.0.0.1:4711' } },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'] },
})
