"""Debian's Python client of Kubernetes, driven by a scenario: python_client.py KUBECONFIG ACTION [ARGUMENT].

Each action prints one JSON document, or lines of them; anything that goes wrong is a traceback and a status of 1.
"""

import json
import sys

from kubernetes import client, config, watch
from kubernetes.stream import portforward, stream

NAMESPACE = 'default'
POD = 'web-1'


def show(document):
    print(json.dumps(document), flush=True)


def list_pods(api, _argument):
    show([pod.metadata.name for pod in api.list_namespaced_pod(NAMESPACE).items])


def list_all(api, namespace):
    """A whole list in one answer, parsed."""
    maps = api.list_namespaced_config_map(namespace).items
    show({'count': len(maps), 'bytes': sum(len(value) for each in maps for value in each.data.values())})


def list_names(api, namespace):
    show(sorted(each.metadata.name for each in api.list_namespaced_config_map(namespace).items))


def watch_maps(api, last):
    for event in watch.Watch().stream(api.list_namespaced_config_map, NAMESPACE, timeout_seconds=30):
        name = event['object'].metadata.name
        show([event['type'], name])
        if name == last:
            return


def write_map(api, name):
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={'a': '1'})
    api.create_namespaced_config_map(NAMESPACE, body)
    api.patch_namespaced_config_map(name, NAMESPACE, {'data': {'b': '2'}})
    show(api.read_namespaced_config_map(name, NAMESPACE).data)
    api.delete_namespaced_config_map(name, NAMESPACE)


def delete_pods(api, selector):
    """What the client makes of the answer; its type of it is a Status."""
    answer = api.delete_collection_namespaced_pod(NAMESPACE, label_selector=selector, grace_period_seconds=5)
    show({'type': type(answer).__name__, 'kind': answer.kind})


def follow_logs(api, _argument):
    for line in watch.Watch().stream(api.read_namespaced_pod_log, POD, NAMESPACE):
        show(line)


def execute(api, script):
    """Runs a script that reads one line; the client cannot end standard input (v4.channel.k8s.io)."""
    command = ['sh', '-c', script]
    ends = {'stdin': True, 'stdout': True, 'stderr': True, 'tty': False}
    run = stream(api.connect_get_namespaced_pod_exec, POD, NAMESPACE, command=command, _preload_content=False, **ends)
    run.write_stdin('typed in\n')
    run.run_forever(timeout=20)
    show({'stdout': run.read_stdout(), 'stderr': run.read_stderr(), 'code': run.returncode})


def execute_on_terminal(api, script):
    command = ['sh', '-c', script]
    ends = {'stdin': True, 'stdout': True, 'stderr': False, 'tty': True}
    run = stream(api.connect_get_namespaced_pod_exec, POD, NAMESPACE, command=command, _preload_content=False, **ends)
    run.write_channel(4, '{"Width":90,"Height":20}')
    run.write_stdin('typed in\n')
    run.run_forever(timeout=20)
    show({'stdout': run.read_stdout(), 'code': run.returncode})


def execute_until_end(api, script):
    """What was shown to the end, and the Status, which the client does not read where it has no exit code."""
    ends = {'stdin': True, 'stdout': True, 'stderr': False, 'tty': True}
    command = ['sh', '-c', script]
    run = stream(api.connect_get_namespaced_pod_exec, POD, NAMESPACE, command=command, _preload_content=False, **ends)
    run.run_forever(timeout=30)
    show({'stdout': run.read_stdout(), 'status': run.read_channel(3)})


def forward_port(api, port):
    forward = portforward(api.connect_get_namespaced_pod_portforward, POD, NAMESPACE, ports=port)
    sock = forward.socket(int(port))
    sock.setblocking(True)
    sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    answer = b''
    while part := sock.recv(4096):
        answer += part
    show({'answer': answer.decode(), 'error': forward.error(int(port))})


ACTIONS = {
    'list': list_pods,
    'list-all': list_all,
    'list-names': list_names,
    'watch': watch_maps,
    'write': write_map,
    'delete-pods': delete_pods,
    'logs': follow_logs,
    'exec': execute,
    'terminal': execute_on_terminal,
    'until-end': execute_until_end,
    'port-forward': forward_port,
}


def main():
    kubeconfig, action, *arguments = sys.argv[1:]
    config.load_kube_config(kubeconfig)
    ACTIONS[action](client.CoreV1Api(), arguments[0] if arguments else None)


main()
