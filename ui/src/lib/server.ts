import { useQuery } from '@tanstack/react-query'
import { address } from './address'
import { getJson } from './api'

/** What the server says about itself. */
export interface ServerInfo {
  version: string
  protocol: number
  database_id: string
  server_id: string
  started_at: string
  dialect: string
  address: string
  now: string
}

/** Ask who the server is; asked once. */
export function useServer(): ServerInfo | undefined {
  return useQuery({ queryKey: ['server'], queryFn: () => getJson<ServerInfo>('api/server'), refetchOnMount: false })
    .data
}

/** The server's address as this browser sees it, for what people copy to other machines. */
export function serverAddress(): string {
  return address('').href.replace(/\/$/, '')
}
