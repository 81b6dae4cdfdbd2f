import { RouterProvider } from '@tanstack/react-router'
import { useSession } from '@/lib/session'
import { SignIn } from '@/pages/signin/SignIn'
import { router } from './router'

/** The page: signed in it is the router's, else it says how to sign in. */
export function App() {
  const { status } = useSession()
  // It takes a few milliseconds to ask the other tabs; a flash of anything would be noise.
  if (status === 'starting') return null
  if (status === 'out') return <SignIn />
  return <RouterProvider router={router} />
}
