{{- define "wolkpipe.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- /* Short enough for the names that a StatefulSet makes of it. */ -}}
{{- define "wolkpipe.fullname" -}}
{{- $name := include "wolkpipe.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "wolkpipe.selector" -}}
app.kubernetes.io/name: {{ include "wolkpipe.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wolkpipe.labels" -}}
{{ include "wolkpipe.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end }}

{{- define "wolkpipe.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "wolkpipe.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "wolkpipe.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* wolkpipe.yaml: the values, and what the pod decides. */ -}}
{{- define "wolkpipe.config" -}}
{{- $c := deepCopy .Values.config -}}
{{- $nats := $c.nats | default dict -}}
{{- if $nats.url -}}
{{-   if .Values.nats.expose -}}{{- fail "nats.expose is of the embedded server, and config.nats.url names another: set nats.expose to false" -}}{{- end -}}
{{- else -}}
{{-   if gt (int .Values.replicas) 1 -}}{{- fail (printf "replicas is %d, but the embedded NATS server is alone: give config.nats.url of a JetStream cluster, or set replicas to 1" (int .Values.replicas)) -}}{{- end -}}
{{-   if .Values.nats.expose -}}
{{-     if not (or $nats.allow_remote ($nats.tls | default dict).cert) -}}{{- fail "nats.expose needs config.nats.tls.cert and key, or config.nats.allow_remote: true" -}}{{- end -}}
{{-     $_ := set $nats "listen" "0.0.0.0:4222" -}}
{{-     $_ := set $c "nats" $nats -}}
{{-   end -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{-   range $c.sinks -}}
{{-     if and (eq (toString .kind) "parquet") (or (not .bucket) (hasPrefix "file:" .bucket) (hasPrefix "mem:" .bucket)) -}}{{- fail (printf "sink %s keeps its lake in one replica's own folder: give it a bucket that all replicas reach" .name) -}}{{- end -}}
{{-     if and (eq (toString .kind) "iceberg") (or (not .catalog) (hasPrefix "sqlite:" .catalog) (hasPrefix "file:" .catalog) (hasPrefix "file:" (.warehouse | default "")) (and (hasPrefix "postgres:" .catalog) (not .warehouse))) -}}{{- fail (printf "sink %s keeps its tables or their catalog in one replica's own folder: give it a catalog and a warehouse that all replicas reach" .name) -}}{{- end -}}
{{-     if eq (toString .kind) "ndjson" -}}{{- fail (printf "sink %s keeps its files in one replica's own folder: leave it out, or set replicas to 1" .name) -}}{{- end -}}
{{-   else -}}{{- fail "several replicas need config.sinks with a bucket that all of them reach: the default lake is a folder of one" -}}
{{-   end -}}
{{- end -}}
{{- $_ := set $c "data" "/data" -}}
{{- $_ := set $c "status" (dict "listen" ":8017") -}}
{{- toYaml $c -}}
{{- end }}
