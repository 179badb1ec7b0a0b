"""Lists the namespaces of the cluster in the kubeconfig, as the official client does, and prints their names.

usage: kube.py KUBECONFIG
"""

import sys

from kubernetes import client, config
from kubernetes.client.rest import ApiException

config.load_kube_config(config_file=sys.argv[1])
try:
    for namespace in client.CoreV1Api().list_namespace(_request_timeout=10).items:
        print(namespace.metadata.name)
except ApiException as error:
    sys.exit(f"status {error.status}")
