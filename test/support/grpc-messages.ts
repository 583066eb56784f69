/**
 * The messages of proto/, as proto-loader gives and takes them (keepCase, enums as numbers).
 * Envoy's API reference: envoy.service.auth.v3.
 */
export interface CheckRequest {
  readonly attributes?: {
    readonly request?: {
      readonly http?: {
        readonly id?: string;
        readonly method?: string;
        readonly path?: string;
        readonly host?: string;
        readonly scheme?: string;
        readonly headers?: Readonly<Record<string, string>>;
      } | null;
    } | null;
  } | null;
}

export interface HeaderValueOption {
  readonly header: { readonly key: string; readonly value: string };
  readonly append_action: number;
  readonly keep_empty_value: boolean;
}

export interface CheckResponse {
  readonly status: { readonly code?: number; readonly message?: string };
  readonly denied_response?: {
    readonly status: { readonly code: number };
    readonly headers: readonly HeaderValueOption[];
    readonly body: string;
  };
  readonly ok_response?: {
    readonly headers: readonly HeaderValueOption[];
    readonly headers_to_remove: readonly string[];
  };
  readonly dynamic_metadata?: {
    readonly fields: Readonly<Record<string, { readonly stringValue: string }>>;
  };
}
