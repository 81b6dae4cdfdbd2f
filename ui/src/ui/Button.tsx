import { clsx } from 'clsx'
import { isValidElement } from 'react'
import styles from './Button.module.css'

interface ButtonProps extends React.ComponentProps<'button'> {
  /** `main`: filled with ink, at most one on a page; `plain`: no border until hovered. */
  look?: 'main' | 'outlined' | 'plain'
  size?: 'small' | 'normal'
}

/** A button of ink on paper. One with an icon only needs an `aria-label`. */
export function Button({ look = 'outlined', size = 'normal', className, type = 'button', ...rest }: ButtonProps) {
  const isIcon = isValidElement(rest.children)
  return (
    <button
      type={type}
      className={clsx(styles.button, styles[look], styles[size], isIcon && styles.icon, className)}
      {...rest}
    />
  )
}
