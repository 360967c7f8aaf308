"""The netns fabric: client, routers, proxy and backends in network namespaces of their own."""
