import { serverAddress } from '@/lib/server'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { Empty } from '@/ui/Empty'

const HELLO = `from stellwerk import flow, task

@task
def square(x: int) -> int:
    return x * x

@flow
def squares(n: int = 10):
    return sum(f.result() for f in square.map(range(n)))

if __name__ == "__main__":
    print(squares())
`

/** What is shown before the first run: how to make one, here and from elsewhere. */
export function NoRuns() {
  const address = serverAddress()
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(new URL(address).hostname)
  return (
    <Empty
      title="Nothing has run yet."
      text="Each call of a flow is a run, and appears here as it begins. Save this and run it on this machine; it finds this server by itself."
    >
      <Code text={HELLO} caption="squares.py, then: python squares.py" />
      {isLocal ? (
        <p>
          To let other machines report here, start the server with <code>--host 0.0.0.0</code> and a
          STELLWERK_API_TOKEN.
        </p>
      ) : (
        <>
          <p>On other machines, say first where the server is:</p>
          <Code
            text={`export STELLWERK_API_URL=${address}\nexport STELLWERK_API_TOKEN=…`}
            caption="In the shell that runs the flow"
          />
        </>
      )}
    </Empty>
  )
}

/** What is shown where the filter leaves nothing. */
export function NoMatch({ q, onClear }: { q: string; onClear: () => void }) {
  return (
    <Empty title="No run matches." text={<>There are runs, but none for the filter “{q}”.</>}>
      <p>
        <Button size="small" onClick={onClear}>
          Clear the filter
        </Button>
      </p>
    </Empty>
  )
}
