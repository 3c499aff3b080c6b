# One image for every part of metrobus: a service is a command. Node runs the TypeScript as it is.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
# A named volume takes its first owner from here: what `gen` writes belongs to the user that runs it.
RUN mkdir data && chown node:node data
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json demo*.ts ./
COPY runtime ./runtime
COPY busdriver ./busdriver
COPY stops ./stops
COPY data-gen ./data-gen
COPY web-status ./web-status
USER node
ENTRYPOINT ["node"]
CMD ["runtime/cli.ts", "--help"]
