import { Link, useLocation } from '@tanstack/react-router'
import { Empty } from '@/ui/Empty'
import { useTitle } from './title'

/** What is shown for an address that leads nowhere. */
export function NotFound() {
  const { pathname } = useLocation()
  useTitle('Not found · Stellwerk')
  return (
    <Empty isPage title="There is no such page." text={`Nothing lies at ${pathname}.`}>
      <p>
        <Link to="/runs">All runs</Link> · <Link to="/flows">All flows</Link>
      </p>
    </Empty>
  )
}
