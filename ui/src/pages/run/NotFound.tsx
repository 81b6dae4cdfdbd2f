import { Link } from '@tanstack/react-router'
import { formatTerm } from '@/pages/runs/filter'
import { Empty } from '@/ui/Empty'
import styles from './RunPage.module.css'

import { isId } from './useRun'

/** What is shown for a run that does not exist. */
export function NotFound({ text }: { text: string }) {
  return (
    <div className={styles.page}>
      <h1 className={styles.hidden}>No such run</h1>
      <Empty
        title="There is no such run."
        text={`Nothing was recorded under ${text}. It may have been deleted, or it is in another database than this server’s.`}
        code="stellwerk runs ls"
        caption="What has run, on the command line"
      >
        <p>
          {!isId(text) && (
            <>
              <Link to="/runs" search={{ q: formatTerm({ key: 'name', isNegated: false, values: [`${text}*`] }) }}>
                Search for runs of this name
              </Link>{' '}
              ·{' '}
            </>
          )}
          <Link to="/runs">All runs</Link>
        </p>
      </Empty>
    </div>
  )
}
