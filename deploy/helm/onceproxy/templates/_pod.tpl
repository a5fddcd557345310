{{/* What an application's chart includes in its pod. The argument is this chart's context, for which
     Helm has a name in the parent: .Subcharts.onceproxy. README.md shows where each of them goes. */}}

{{/* onceproxy's container, an item of initContainers (sidecar.native) or of containers. */}}
{{- define "onceproxy.container" -}}
- name: onceproxy
  image: {{ include "onceproxy.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if and (eq .Values.mode "sidecar") .Values.sidecar.native }}
  restartPolicy: Always
{{- end }}
  command: [onceproxy, run, -c, /etc/onceproxy/onceproxy.yaml, --drain-time, {{ .Values.shutdown.drainTime }}s]
{{- if or .Values.extraEnv (eq (include "onceproxy.storeKind" .) "postgres") }}
  env:
{{- if eq (include "onceproxy.storeKind" .) "postgres" }}
    - name: ONCEPROXY_DATABASE
      valueFrom:
        secretKeyRef: {name: {{ .Values.store.postgres.secretName }}, key: {{ .Values.store.postgres.secretKey }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . | indent 4 }}
{{- end }}
{{- end }}
  ports:
    - {name: onceproxy, containerPort: {{ .Values.ports.data }}}
    - {name: telemetry, containerPort: {{ .Values.ports.telemetry }}}
  startupProbe:
    httpGet: {path: /ready, port: telemetry}
    periodSeconds: 1
    timeoutSeconds: 1
    failureThreshold: 60
  readinessProbe:
    httpGet: {path: /ready, port: telemetry}
    periodSeconds: 2
    timeoutSeconds: 2
    failureThreshold: 1
  livenessProbe:
    httpGet: {path: /live, port: telemetry}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 3
  lifecycle:
    preStop:
      exec:
        command: [onceproxy, drain, {{ include "onceproxy.adminArguments" . }}, --wait, --grace, {{ .Values.shutdown.grace }}s, --timeout, {{ .Values.shutdown.timeout }}s]
  resources:
{{ toYaml .Values.resources | indent 4 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
    seccompProfile: {type: RuntimeDefault}
  volumeMounts:
    - {name: onceproxy-config, mountPath: /etc/onceproxy, readOnly: true}
{{- if ne (include "onceproxy.storeKind" .) "postgres" }}
    - {name: onceproxy-store, mountPath: /var/lib/onceproxy}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . | indent 4 }}
{{- end }}
{{- end -}}

{{/* Where the preStop finds the admin port. Named here, since the file may be another one by then. */}}
{{- define "onceproxy.adminArguments" -}}
{{- $admin := dict "listen" (printf "127.0.0.1:%v" .Values.ports.admin) -}}
{{- with include "onceproxy.checkedConfig" . -}}
{{- $admin = (fromYaml .).admin -}}
{{- end -}}
--admin, {{ include "onceproxy.address" $admin.listen | replace "0.0.0.0:" "127.0.0.1:" | quote }}
{{- with $admin.token_file }}, --token-file, {{ . | quote }}{{ end -}}
{{- end -}}

{{/* Items of volumes. */}}
{{- define "onceproxy.volumes" -}}
- name: onceproxy-config
  configMap: {name: {{ include "onceproxy.configMapName" . }}}
{{- if eq (include "onceproxy.storeKind" .) "emptyDir" }}
- name: onceproxy-store
  emptyDir: {sizeLimit: {{ .Values.store.size }}}
{{- end }}
{{- end -}}

{{/* Items of a StatefulSet's volumeClaimTemplates; none unless store.kind is claim. */}}
{{- define "onceproxy.volumeClaimTemplates" -}}
{{- if eq (include "onceproxy.storeKind" .) "claim" -}}
- metadata: {name: onceproxy-store}
  spec:
    accessModes: [{{ .Values.store.accessMode }}]
{{- with .Values.store.storageClassName }}
    storageClassName: {{ . }}
{{- end }}
    resources: {requests: {storage: {{ .Values.store.size }}}}
{{- end -}}
{{- end -}}

{{/* The pod's securityContext: the volume can be written by the container's user. */}}
{{- define "onceproxy.podSecurityContext" -}}
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
{{- end -}}

{{/* The lifecycle of the service's own container: it serves while onceproxy takes the pod out of service. */}}
{{- define "onceproxy.serviceLifecycle" -}}
{{- if le (int .Values.shutdown.serviceSleep) (int .Values.shutdown.grace) -}}
{{- fail "shutdown.serviceSleep must be longer than shutdown.grace: the service has to outlast the requests that still come" -}}
{{- end -}}
preStop:
{{- /* The action is on by default since 1.30, and refused before. */}}
{{- if and .Values.sidecar.native (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}
  sleep: {seconds: {{ .Values.shutdown.serviceSleep }}}
{{- else }}
  exec: {command: [sleep, {{ .Values.shutdown.serviceSleep | quote }}]}
{{- end }}
{{- end -}}

{{/* The pod's terminationGracePeriodSeconds: the hook, or the service's sleep and what is under way then, the
     drain after SIGTERM, and ten seconds. */}}
{{- define "onceproxy.terminationGracePeriodSeconds" -}}
{{- $before := int .Values.shutdown.grace -}}
{{- if eq .Values.mode "sidecar" -}}
{{- $before = max $before (int .Values.shutdown.serviceSleep) -}}
{{- end -}}
{{- add $before .Values.shutdown.timeout .Values.shutdown.drainTime 10 -}}
{{- end -}}
