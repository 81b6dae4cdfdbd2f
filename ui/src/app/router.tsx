import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
  type SearchSchemaInput,
} from '@tanstack/react-router'
import { RunsPage } from '@/pages/runs/RunsPage'
import { ErrorView } from './ErrorView'
import { NotFound } from './NotFound'
import { Shell } from './Shell'
import { parseSearch, type Search, stringifySearch } from './search'

const keep = (search: Search & SearchSchemaInput): Search => search

const rootRoute = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  errorComponent: ErrorView,
  validateSearch: keep,
})

const indexRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/runs', replace: true })
  },
})

const runsRoute = createRoute({ getParentRoute: () => rootRoute, path: '/runs', component: RunsPage })

const runRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/runs/$id',
  component: lazyRouteComponent(() => import('@/pages/run/RunPage'), 'RunPage'),
})

const flowsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/flows',
  component: lazyRouteComponent(() => import('@/pages/flows/FlowsPage'), 'FlowsPage'),
})

/** The pages. They lie under the path that the server put into `<base href>`. */
export const router = createRouter({
  routeTree: rootRoute.addChildren([indexRoute, runsRoute, runRoute, flowsRoute]),
  basepath: new URL(document.baseURI).pathname.replace(/\/$/, '') || '/',
  defaultPreload: 'intent',
  defaultErrorComponent: ErrorView,
  defaultNotFoundComponent: NotFound,
  parseSearch,
  stringifySearch,
  scrollRestoration: false,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
