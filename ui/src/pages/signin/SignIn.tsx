import { useState } from 'react'
import { useTitle } from '@/app/title'
import { signIn, useSession } from '@/lib/session'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { Mark } from '@/ui/Mark'
import styles from './SignIn.module.css'

/** How to get in: by the link that `stellwerk open` makes, or with the server's API token. */
export function SignIn() {
  const { reason } = useSession()
  const [token, setToken] = useState('')
  const [failure, setFailure] = useState('')
  const [isBusy, setBusy] = useState(false)
  useTitle('Sign in · Stellwerk')
  const submit = async (event: React.FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setFailure('')
    try {
      await signIn(token.trim())
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error))
      setBusy(false)
    }
  }
  return (
    <main className={styles.page}>
      <div className={styles.box}>
        <div className={styles.logo}>
          <Mark size={24} />
          Stellwerk
        </div>
        <h1>Sign in</h1>
        {reason && (
          <p className={styles.reason} role="alert">
            {reason}
          </p>
        )}
        <p>On the machine where the server runs, this opens the page with a link that works once:</p>
        <Code text="stellwerk open" caption="In a terminal" />
        <form className={styles.form} onSubmit={submit}>
          <label htmlFor="token">Or with the server's API token (its STELLWERK_API_TOKEN):</label>
          <div className={styles.row}>
            <input
              id="token"
              type="password"
              autoComplete="off"
              spellCheck={false}
              value={token}
              onChange={(event) => setToken(event.target.value)}
              aria-describedby={failure ? 'failure' : undefined}
              aria-invalid={failure ? true : undefined}
            />
            <Button look="main" type="submit" disabled={isBusy || !token.trim()}>
              Sign in
            </Button>
          </div>
          {failure && (
            <p id="failure" className={styles.failure} role="alert">
              {failure}
            </p>
          )}
        </form>
      </div>
    </main>
  )
}
