import { Component } from 'react'
import { ErrorPane } from './ErrorPane'

interface BoundaryProps {
  children: React.ReactNode
  title?: string
}

/** Keeps an error in one part of the page from taking the others with it. */
export class Boundary extends Component<BoundaryProps, { error: unknown }> {
  override state = { error: null }

  static getDerivedStateFromError(error: unknown) {
    return { error: error ?? new Error('Something failed without saying what.') }
  }

  override render() {
    if (this.state.error === null) return this.props.children
    const retry = () => this.setState({ error: null })
    return <ErrorPane error={this.state.error} onRetry={retry} {...(this.props.title && { title: this.props.title })} />
  }
}
