@echo off
node --max-semi-space-size=2 "%~dp0pulumi-resource-gpuhost" %*
