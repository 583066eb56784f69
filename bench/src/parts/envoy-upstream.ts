/** How the upstream inside Envoy names the user that reached it. */
export const echoedUserHeader = 'x-echo-user-id';

/**
 * A listener that answers every request itself, as the upstream of the ingress in the same process:
 * its cost is Envoy's and the same in every variant. It says which user it was told.
 */
export function upstreamInside(port: number): object {
  return {
    name: 'upstream',
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: 'upstream',
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: {
                    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
                  },
                },
              ],
              route_config: {
                virtual_hosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }],
                    response_headers_to_add: [
                      { header: { key: echoedUserHeader, value: '%REQ(x-user-id)%' } },
                    ],
                  },
                ],
              },
            },
          },
        ],
      },
    ],
  };
}
