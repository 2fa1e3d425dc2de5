{# A model's first word is its schema: stg_ models live in staging, mart_ models in mart. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if node.name.startswith('stg_') -%} staging
    {%- elif node.name.startswith('mart_') -%} mart
    {%- else -%} {{ target.schema }}
    {%- endif -%}
{%- endmacro %}
