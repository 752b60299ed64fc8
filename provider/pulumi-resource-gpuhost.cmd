@echo off
node --max-semi-space-size=4 "%~dp0pulumi-resource-gpuhost" %*
