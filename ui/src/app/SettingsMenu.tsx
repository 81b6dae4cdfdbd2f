import { Settings2 } from 'lucide-react'
import { signOut } from '@/lib/session'
import { setSetting, useSettings } from '@/lib/settings'
import { Button } from '@/ui/Button'
import { Menu, MenuChoice, MenuItem, MenuLine } from '@/ui/Menu'

/** What a person chooses about the page. */
export function SettingsMenu() {
  const { theme, density, letters } = useSettings()
  return (
    <Menu
      side="top"
      trigger={
        <Button look="plain" aria-label="Settings" title="Settings">
          <Settings2 size={16} strokeWidth={1.5} />
        </Button>
      }
    >
      <MenuChoice
        label="Theme"
        value={theme}
        onChange={(value) => setSetting('theme', value)}
        options={[
          ['system', 'As the system'],
          ['light', 'Light'],
          ['dark', 'Dark'],
        ]}
      />
      <MenuLine />
      <MenuChoice
        label="Rows"
        value={density}
        onChange={(value) => setSetting('density', value)}
        options={[
          ['default', 'Normal'],
          ['compact', 'Compact'],
        ]}
      />
      <MenuLine />
      <MenuChoice
        label="Single-letter keys"
        value={letters ? 'on' : 'off'}
        onChange={(value) => setSetting('letters', value === 'on')}
        options={[
          ['on', 'On'],
          ['off', 'Off'],
        ]}
      />
      <MenuLine />
      <MenuItem onClick={signOut}>Sign out</MenuItem>
    </Menu>
  )
}
