import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from '@/app/App'
import { ApiError } from '@/lib/api'
import { listenForKeys } from '@/lib/keys'
import { startSession } from '@/lib/session'
import { applySettings } from '@/lib/settings'
import { watchParts } from '@/lib/version'
import { openLive } from '@/live/live'
import '@/ui/tokens.css'
import '@/ui/base.css'

// The live feed tells when something has changed, so nothing grows stale by time; what was not watched meanwhile is
// asked for again as soon as it is shown.
const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnMount: 'always',
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      networkMode: 'always',
      retry: (count, error) => count < 2 && error instanceof ApiError && error.isPassing,
      retryDelay: (count) => 500 * 2 ** count,
    },
  },
})

applySettings()
watchParts()
listenForKeys()
void startSession()
openLive()

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
)
