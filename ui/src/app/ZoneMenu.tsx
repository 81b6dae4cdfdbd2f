import { Globe } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { setSetting, useSettings } from '@/lib/settings'
import { browserZone, useZone, zoneLabel } from '@/lib/time'
import { Button } from '@/ui/Button'
import { Menu, MenuChoice, MenuItem, MenuLine } from '@/ui/Menu'

const ZoneDialog = lazy(() => import('./ZoneDialog').then(({ ZoneDialog }) => ({ default: ZoneDialog })))

/** In which zone all times are shown. */
export function ZoneMenu() {
  const { zone } = useSettings()
  const name = useZone()
  const [isAsking, setAsking] = useState(false)
  const own = browserZone()
  const options: [string, string][] = [
    ['browser', `This browser (${own})`],
    ['UTC', 'UTC'],
  ]
  if (zone !== 'browser' && zone !== 'UTC') options.push([zone, zone])
  const label = zoneLabel(Date.now() * 1000, name)
  return (
    <>
      <Menu
        side="top"
        trigger={
          <Button look="plain" aria-label={`Time zone: ${name}, ${label}`} title={`${name}, ${label}`}>
            <Globe size={16} strokeWidth={1.5} />
            <span>{label}</span>
          </Button>
        }
      >
        <MenuChoice
          label="Show times in"
          value={zone}
          onChange={(value) => setSetting('zone', value)}
          options={options}
        />
        <MenuLine />
        <MenuItem onClick={() => setAsking(true)}>Another zone …</MenuItem>
      </Menu>
      {isAsking && (
        <Suspense>
          <ZoneDialog onClose={() => setAsking(false)} />
        </Suspense>
      )}
    </>
  )
}
