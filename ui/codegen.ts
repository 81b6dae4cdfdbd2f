import type { CodegenConfig } from '@graphql-codegen/cli'

// The schema is what `stellwerk dev schema` prints; the operations lie beside the pages that ask them.
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['src/**/*.graphql'],
  ignoreNoDocuments: true,
  generates: {
    'src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: 'string',
        useTypeImports: true,
        enumsAsTypes: true,
        scalars: { uuid: 'string', timestamptz: 'string', json: 'unknown', bigint: 'number | string' },
      },
    },
  },
}

export default config
